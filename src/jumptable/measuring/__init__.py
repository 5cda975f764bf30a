"""What a call costs: timing loops and the cost ladder."""
