"""Listeners that let nobody in until the session connects to whoever knocks (driver.py)."""
