"""Who may do what: users, their passwords, logins and tokens, and the roles that all of these come down to."""
