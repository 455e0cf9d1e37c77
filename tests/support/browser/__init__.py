"""JupyterLab and Notebook 7 in a real Chromium, and what goes between them and their kernels."""
