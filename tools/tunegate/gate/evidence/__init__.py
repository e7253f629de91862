"""What the data say of one finding, before it is known how many others there are."""
