"""吟诗: from the Complete Tang Poems to a new poem."""

__version__ = "0.1.0"
