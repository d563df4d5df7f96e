"""The commands of `scripts/cluster`, by what they work on. Each module adds its own with `add(commands)`."""
