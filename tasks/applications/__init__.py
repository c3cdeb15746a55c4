"""Applications of energies to examples: pictures, scans, tables, listening, cascades, speech."""
