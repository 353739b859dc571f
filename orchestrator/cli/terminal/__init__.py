"""What commands show on a terminal: progress, tables as they grow, and the views of `top`, `batch` and `doctor`."""
