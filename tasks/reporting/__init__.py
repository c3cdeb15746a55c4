"""How the report is drawn and laid out: inline SVG, tables, wording and the page itself."""
