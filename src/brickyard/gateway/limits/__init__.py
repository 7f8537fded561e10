"""Who may ask, and how much: API keys, users and their limits at the gateway's door.

What a user is and how limits are counted is the business of ``accounts``; here is what a request's headers say, and what its client hears.
"""
