"""What a network looks at: Grad-CAM, attention, similarity of layers, learned maps."""
