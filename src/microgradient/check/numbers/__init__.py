"""Other numbers to evaluate rows and graphs in: 50 digits, Fractions, series, error bounds, …"""
