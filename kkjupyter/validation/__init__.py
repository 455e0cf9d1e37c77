"""Arguments, results and items of streams, held to type hints."""
