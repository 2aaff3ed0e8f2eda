"""What notify knows of messages, contact points, PINs and replies: values in, values out."""
