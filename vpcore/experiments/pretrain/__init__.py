"""How the bundled backbones were trained."""
