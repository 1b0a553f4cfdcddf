"""Attention, lookup and positions: networks over tokens."""
