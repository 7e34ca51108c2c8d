"""Files in: from the watch folder and the upload to bytes in the spool and a job in the database."""
