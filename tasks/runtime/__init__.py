"""Infrastructure of all stages: errors, files, parameters, workspaces, Ray and DVC.

Nothing here imports another folder of ``tasks``.
"""
