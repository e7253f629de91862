"""What becomes of a verdict: its certificate, the acceptance of what it promotes, and making it again."""
