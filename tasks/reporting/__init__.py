"""The parts of a report: page, style, charts, maps, tables, labels, sections and the model card."""
