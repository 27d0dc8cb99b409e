"""The report on many seeds: Markdown, pictures, and one page that holds both."""
