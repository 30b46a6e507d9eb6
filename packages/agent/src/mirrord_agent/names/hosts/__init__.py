"""What /etc/hosts says."""
