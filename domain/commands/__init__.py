"""What may be asked: imperative, and at the same time the bodies of the HTTP requests.

A command that acts on something which exists is submitted with that thing's id as its target.
"""
