"""What every stage stands on: errors, files, parameters, workspaces, Ray, DVC. Imports no other folder."""
