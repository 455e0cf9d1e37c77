"""Real ipykernels of several versions, and notebooks that run in them."""
