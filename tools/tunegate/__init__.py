"""tunegate decides with evidence whether a fine-tuned model may replace the one in production."""

__version__ = "0.1.0"
