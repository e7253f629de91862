"""The noise of a model against itself: measuring it, keeping it, and saying which margins it leaves no room for."""
