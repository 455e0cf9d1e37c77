"""Peers that send too much, too little or too slowly."""
