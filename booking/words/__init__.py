"""Every sentence a visitor may read, Korean and English side by side, a file for each part of the site.

A key is said with `booking.texts.say`. Keys ending in `_do` say what to do about the error of that code.
"""
