"""What members used: recorded, summed up, shown, explained, exported. Never a prompt or an answer."""
