"""What every application shares: its interface, its stages, scores, report and files."""
