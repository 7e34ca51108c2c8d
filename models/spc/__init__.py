"""Statistical process control of shares: is the share of captures that show something still what it was?"""
