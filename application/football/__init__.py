"""Football models at work: what they learn from, what they forecast, and how good that was."""
