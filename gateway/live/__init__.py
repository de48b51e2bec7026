"""What the pages see while it happens: a login's steps, and the Chrome of a login that needs a person."""
