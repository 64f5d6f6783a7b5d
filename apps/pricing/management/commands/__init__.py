"""Commands of the pricing room."""
