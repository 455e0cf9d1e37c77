"""One duplex connection: its messages routed, their flow held in check both ways."""
