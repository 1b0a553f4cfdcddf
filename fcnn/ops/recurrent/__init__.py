"""Recurrent networks over sequences: rnn, lstm, gru, and the loop that they share."""
