"""From a symbol to a callable: signatures, trampolines, variables."""
