"""Pictures as text: what reports, pages and plots are drawn with."""
