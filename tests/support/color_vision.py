"""Contrast as WCAG 2.2 defines it, and how far apart two colors are for eyes that lack a cone type.

Sources: WCAG 2.2 (relative luminance, contrast ratio); Machado, Oliveira, Fernandes (2009), "A Physiologically-based
Model for Simulation of Color Vision Deficiency" (matrices for full severity, on linear RGB); CIE 1976 L*a*b*, D65.
"""

import numpy as np

SIGHT = {
    "common": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def linear(color: str) -> np.ndarray:
    """The light of a color "#rrggbb": three numbers from 0 to 1."""
    channels = np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(first: str, second: str) -> float:
    """The contrast ratio, 1 to 21."""
    low, high = sorted(float(linear(color) @ TO_XYZ[1]) for color in (first, second))
    return (high + 0.05) / (low + 0.05)


def distance(first: str, second: str, sight: str = "common") -> float:
    """The CIE 1976 distance of two colors as an eye of this kind sees them; 2.3 is just noticeable."""
    return float(np.linalg.norm(_lab(first, sight) - _lab(second, sight)))


def _lab(color: str, sight: str) -> np.ndarray:
    xyz = TO_XYZ @ np.clip(SIGHT[sight] @ linear(color), 0, 1) / TO_XYZ.sum(1)
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])
