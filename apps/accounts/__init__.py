"""People: the user, sign-up and sign-in (allauth), and who becomes the instance's first admin."""
