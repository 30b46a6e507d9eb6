"""What /etc/resolv.conf and /etc/nsswitch.conf say."""
