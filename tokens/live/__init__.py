"""A live login: the worker's Chrome in the hands of the member whom the school asks for something."""
