"""The wire inspector: what each key sent last, how it was read, and running the mapping once more.

`arrivals` is all that the way of a request knows of this; everything else happens when somebody looks.
"""
