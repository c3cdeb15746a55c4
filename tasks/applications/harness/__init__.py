"""Parts shared by all applications: interface, stages, scores, report and files."""
