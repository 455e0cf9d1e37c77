"""The rich and the latest view: values as a notebook shows them, all of them or only the newest."""
