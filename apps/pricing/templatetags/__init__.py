"""Template tags of the pricing room."""
