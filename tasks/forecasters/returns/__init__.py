"""Returns of prices and changes of rates, one step ahead."""
