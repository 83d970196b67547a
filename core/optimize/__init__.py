"""Make a trained model smaller and faster, and measure on its own data what each way costs."""
