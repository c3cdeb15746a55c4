"""Reading of files as people have them: text tables, Excel, Parquet and NetCDF, with dates and numbers."""
