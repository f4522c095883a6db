"""The Redis store on real Redis, of each version that the deploy meets."""
