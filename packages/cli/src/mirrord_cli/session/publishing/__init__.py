"""The memory of the shared table, and its descriptors (driver.py). What is written into it is ../table.py's business."""
