"""Parts of the HTML reports and model cards."""
